import { describe, expect, it } from 'vitest';
import { firstPosition, positionOnServer } from '../../../src/capture/start-position.ts';

const uuid = '3da747c4-e569-11f1-8f8a-02fc00000001';
const facts = {
  flavour: 'mysql' as const,
  version: '9.7.4',
  server: 's1',
  current: { file: 'binlog.000009', offset: 900 },
  gtid: `${uuid}:1-90`,
  purgedGtid: `${uuid}:1-10`,
  files: [
    { name: 'binlog.000003', size: 1_000 },
    { name: 'binlog.000008', size: 1_000 },
    { name: 'binlog.000009', size: 900 },
  ],
  tableNames: 'exact' as const,
};
const saved = { server: 's1', file: 'binlog.000008', offset: 500, gtid: `${uuid}:1-80` };
const lost = expect.objectContaining({ code: 'ROWFERRY_SOURCE_POSITION_LOST' });

describe('where capture starts', () => {
  it('earliest is the oldest file with what was purged before it, now is what was executed', () => {
    expect(firstPosition('main', { kind: 'earliest' }, facts)).toEqual({
      server: 's1',
      file: 'binlog.000003',
      offset: 4,
      gtid: `${uuid}:1-10`,
    });
    expect(firstPosition('main', { kind: 'now' }, facts)).toEqual({
      server: 's1',
      file: 'binlog.000003',
      offset: 4,
      gtid: `${uuid}:1-90`,
    });
    expect(firstPosition('main', { kind: 'now' }, { ...facts, gtid: null })).toEqual({
      server: 's1',
      file: 'binlog.000009',
      offset: 900,
    });
  });

  it('goes on where it was on the same server', () => {
    expect(positionOnServer('main', saved, facts)).toEqual({ position: saved, sameServer: true });
  });

  it('follows a failover by GTID, under new names', () => {
    const { position, sameServer } = positionOnServer('main', saved, { ...facts, server: 's2' });
    expect([position, sameServer]).toEqual([
      { server: 's2', file: 'binlog.000003', offset: 4, gtid: saved.gtid },
      false,
    ]);
  });

  it('refuses a server that lacks transactions which were already ferried, whichever server it is', () => {
    const behind = { ...facts, gtid: `${uuid}:1-79` };
    expect(() => positionOnServer('main', saved, behind)).toThrow(lost);
    expect(() => positionOnServer('main', saved, { ...behind, server: 's2' })).toThrow(lost);
  });

  it('refuses a server whose binlog ends before the place that was ferried: a crash took it, whatever it has committed since', () => {
    const [oldest] = facts.files;
    const files = [oldest!, { name: 'binlog.000008', size: 499 }, { name: 'binlog.000009', size: 900 }];
    expect(() => positionOnServer('main', saved, { ...facts, files })).toThrow(lost);
    const kept = files.map((file) => (file.size === 499 ? { ...file, size: 500 } : file));
    expect(positionOnServer('main', saved, { ...facts, files: kept }).sameServer).toBe(true);
    expect(positionOnServer('main', saved, { ...facts, files, server: 's2' }).sameServer).toBe(false);
  });

  it('misses nothing while the commit of what was ferried goes on', () => {
    const committing = { ...facts, gtid: `${uuid}:1-78`, owned: `${uuid}:79:80` };
    expect(positionOnServer('main', saved, committing).position).toEqual(saved);
    expect(() => positionOnServer('main', saved, { ...committing, owned: `${uuid}:80` })).toThrow(lost);
  });

  it('refuses a file position on another server', () => {
    const { gtid: _, ...place } = saved;
    expect(() => positionOnServer('main', place, { ...facts, server: 's2' })).toThrow(lost);
  });

  it('looks for a place that GTIDs alone name from the oldest file on, so that no file lies before it', () => {
    const replay = { ...saved, offset: 4 };
    expect(positionOnServer('main', replay, facts).position).toEqual({ ...replay, file: 'binlog.000003' });
  });
});
