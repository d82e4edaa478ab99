import { describe, expect, it } from 'vitest';
import { toSid } from '../../../scripts/sandbox/debian-packages.ts';

describe('an apt source turned to sid', () => {
  it('keeps mirror and options of a one-line entry, passing over other distributions and sources of source', () => {
    const text = [
      '# deb http://mirror.test/old bookworm main',
      'deb http://other.test/ubuntu noble main',
      'deb-src http://mirror.test/debian trixie main',
      'deb [signed-by=/usr/share/keyrings/debian.gpg arch=amd64] http://mirror.test/debian trixie main contrib',
    ].join('\n');
    expect(toSid({ format: 'list', text })).toEqual({
      format: 'list',
      text: 'deb [signed-by=/usr/share/keyrings/debian.gpg arch=amd64] http://mirror.test/debian sid main\n',
    });
  });

  it('keeps mirror and key of a deb822 stanza, passing over disabled and security ones', () => {
    const text = `Types: deb
URIs: http://off.test/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main

Types: deb deb-src
# a comment
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`;
    expect(toSid({ format: 'sources', text })).toEqual({
      format: 'sources',
      text: `Types: deb
URIs: http://mirror.test/debian
Suites: sid
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`,
    });
  });

  it('is none where no Debian release is offered', () => {
    expect(toSid({ format: 'list', text: 'deb http://other.test/ubuntu noble main' })).toBeUndefined();
    expect(
      toSid({ format: 'sources', text: 'Types: deb\nURIs: http://x.test\nSuites: /\n' }),
    ).toBeUndefined();
  });
});
