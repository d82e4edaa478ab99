import { describe, expect, test } from 'vitest';
import { mysqlFault, policyOf, socketFault, sqlStateFault } from '../../../src/error-policy.ts';
import type { DatabaseFault } from '../../../src/error-policy.ts';
import { refusal, ServerError } from '../../../src/drivers/server-error.ts';
import { ERROR_CODES } from '../../../src/errors.ts';

describe('the error policy', () => {
  test.each<[number, DatabaseFault]>([
    [1213, 'deadlock'],
    [1205, 'busy'],
    [2013, 'link'],
    [1290, 'refuses'],
    [1792, 'refuses'],
    [1114, 'refuses'],
    [1045, 'access'],
    [1142, 'access'],
    [1146, 'schema'],
    [1054, 'schema'],
    [1062, 'conflict'],
    [1406, 'data'],
    [1048, 'data'],
    [4025, 'data'],
    // Passes without a change of rowferry's configuration, and trying again changes nothing: a node of Galera that has not
    // caught up, a blocked host, no thread to spare, offline mode, a server that cannot check logins yet.
    [1047, 'link'],
    [1129, 'link'],
    [1135, 'link'],
    [3032, 'link'],
    [3168, 'link'],
    // Proxies: 9001 and 9002 have no server behind them, 9004 an offline one (ProxySQL) or locks to clear (TiDB), 9005 no region.
    [9001, 'link'],
    [9002, 'link'],
    [9004, 'link'],
    [9005, 'link'],
    [9007, 'deadlock'],
    // 9003 is "busy" of TiDB, but "command not supported" of ProxySQL; 9006 "GC too early", but "locked to another hostgroup".
    [9003, 'unknown'],
    [9006, 'unknown'],
    [1297, 'busy'],
    [1637, 'busy'],
    // Files: the system's reason stands in the text only, and all that does pass (disk, handles) is worth the wait.
    [3, 'refuses'],
    [20, 'refuses'],
    [23, 'refuses'],
    [24, 'refuses'],
    [1016, 'refuses'],
    [1030, 'refuses'],
    [1036, 'refuses'],
    // Somebody must change users or grants.
    [1044, 'access'],
    [1049, 'access'],
    [1130, 'access'],
    [1227, 'access'],
    [1698, 'access'],
    // "Unknown error": nothing tells that it passes.
    [1105, 'unknown'],
    [1064, 'unknown'],
    [99_999, 'unknown'],
  ])('takes MySQL %i for %s', (errno, fault) => expect(mysqlFault(errno)).toBe(fault));

  test.each<[string, DatabaseFault]>([
    ['40001', 'deadlock'],
    ['40P01', 'deadlock'],
    ['08006', 'link'],
    ['57P01', 'link'],
    ['55P03', 'busy'],
    ['25006', 'refuses'],
    ['53100', 'refuses'],
    ['28P01', 'access'],
    ['42501', 'access'],
    ['3D000', 'access'],
    ['42P01', 'schema'],
    ['23505', 'conflict'],
    ['23502', 'data'],
    ['22001', 'data'],
    ['08P01', 'link'],
    ['53300', 'link'],
    ['53200', 'link'],
    ['57P02', 'link'],
    ['57P03', 'link'],
    ['55006', 'busy'],
    ['53400', 'refuses'],
    ['58030', 'refuses'],
    // A file of the server is not there: storage that is away, or an upgrade half-way.
    ['58P01', 'refuses'],
    // The database was dropped: nothing brings it back by itself.
    ['57P04', 'access'],
    ['42601', 'unknown'],
    ['XX000', 'unknown'],
    ['XX001', 'unknown'],
  ])('takes SQLSTATE %s for %s', (state, fault) => expect(sqlStateFault(state)).toBe(fault));

  test('takes a lost link for what it is, and a bad certificate for a stop', () => {
    expect(socketFault('ECONNRESET')).toBe('link');
    expect(socketFault('PROTOCOL_CONNECTION_LOST')).toBe('link');
    expect(socketFault('DEPTH_ZERO_SELF_SIGNED_CERT')).toBe('access');
    expect(socketFault('WHO_KNOWS')).toBe('unknown');
  });

  test('tells how to free a host that a server blocks', () => {
    const blocked = new ServerError({ title: 'blocked', fault: mysqlFault(1129), text: '', code: '1129' }); // prettier-ignore
    expect(refusal(blocked, 'source', {}).describe()).toMatch(/^ROWFERRY_SOURCE_LINK: .*FLUSH HOSTS/);
  });

  test('lets each fault end in the action that it needs', () => {
    const actions = (
      ['link', 'busy', 'deadlock', 'refuses', 'access', 'schema', 'conflict', 'data', 'unknown'] as const
    ).map((fault) => ERROR_CODES[policyOf(fault, 'target').code]);
    expect(actions).toEqual(['retry', 'retry', 'retry', 'retry', 'stop', 'stop', 'isolate', 'data', 'stop']);
    expect(policyOf('link', 'source').code).toBe('ROWFERRY_SOURCE_LINK');
    expect(ERROR_CODES[policyOf('unknown', 'source').code]).toBe('stop');
  });
});

describe('what an access error tells to do', () => {
  const hint = (code: string, side: 'source' | 'target' = 'target') => policyOf('access', side, code).hint;

  test.each(['1045', '1698', '28P01'])('%s: a wrong user or password, and no grant', (code) => {
    expect(hint(code)).toMatch(/^wrong user or password/);
    expect(hint(code)).not.toMatch(/GRANT|SELECT/);
  });

  test.each(['1044', '1142', '1227', '42501'])('%s: which grants, and no password', (code) => {
    expect(hint(code)).toMatch(/^the account lacks a grant: .*INSERT.*UPDATE.*DELETE/);
    expect(hint(code, 'source')).toMatch(/REPLICATION CLIENT.*SELECT on the captured tables.*rowferry/);
    expect(hint(code)).not.toContain('password');
  });

  test.each(['1049', '3D000'])('%s: no such database', (code) => {
    expect(hint(code)).toContain('no database of this name');
  });

  test('names the privileges that the server names, and nothing else of its words', () => {
    const denied = (code: string, text: string) =>
      refusal(new ServerError({ title: 'no', fault: 'access', code, text }), 'target', {}).hint;
    const table = "INSERT, UPDATE command denied to user 'mia'@'db-9' for table 'orders'";
    expect(denied('1142', table)).toMatch(/^the account lacks INSERT, UPDATE: /);
    expect(denied('1142', table)).not.toMatch(/mia|db-9|orders/);
    const global =
      'Access denied; you need (at least one of) the SUPER, REPLICATION CLIENT privilege(s) for this operation';
    expect(denied('1227', global)).toMatch(/^the account lacks SUPER, REPLICATION CLIENT: /);
    expect(denied('1142', "SECRET command denied to user 'mia'")).toMatch(/^the account lacks a grant: /);
  });
});

describe('a server error', () => {
  const error = new ServerError({
    title: 'MySQL error 1366 (ER_TRUNCATED_WRONG_VALUE_FOR_FIELD)',
    fault: 'data',
    text: "Incorrect integer value: 'for column 'card'' for column 'qty' at row 1",
  });

  test('tells a column only if it is one of the known', () => {
    expect(error.columnAmong(['id', 'qty'])).toBe('qty');
    expect(error.columnAmong(['id'])).toBeUndefined();
    // Two candidates: rather none than the wrong one.
    expect(error.columnAmong(['card', 'qty'])).toBeUndefined();
  });

  test('keeps the server text to itself', () => {
    const shown = refusal(error, 'target', { target: 't' });
    expect(JSON.stringify([shown, error, String(shown.cause)])).not.toContain('Incorrect');
    expect(shown.describe()).toMatch(/^ROWFERRY_TARGET_DATA: MySQL error 1366 .* \[target t\] -> /);
  });
});
