import { expect, it } from 'vitest';
import { MysqlGrants } from '../../../src/model/mysql-grants.ts';

const to = 'TO `rowferry`@`%`';

it('finds what the account lacks by what each scope grants', () => {
  const grants = new MysqlGrants([
    `GRANT REPLICATION SLAVE, RELOAD ON *.* ${to}`,
    `GRANT SELECT, INSERT ON \`shop\\_%\`.* ${to}`,
    `GRANT ALL PRIVILEGES ON \`row\`\`ferry\`.\`mark\` ${to}`,
    `GRANT SELECT, UPDATE (\`id\`, \`name\`) ON \`crm\`.\`a\` ${to}`,
    `GRANT \`role\`@\`%\` ${to}`,
    `GRANT PROXY ON \`\`@\`\` ${to}`,
  ]);
  expect(grants.lacking(['SELECT', 'INSERT', 'UPDATE', 'RELOAD'], 'shop_1')).toEqual(['UPDATE']);
  expect(grants.lacking(['SELECT'], 'shopping')).toEqual(['SELECT']);
  expect(grants.lacking(['SELECT', 'DROP'], 'row`ferry', 'mark')).toEqual([]);
  expect(grants.lacking(['SELECT'], 'row`ferry')).toEqual(['SELECT']);
  expect(grants.lacking(['SELECT', 'UPDATE'], 'crm', 'a')).toEqual(['UPDATE']);
});

it('counts what is taken back of a schema', () => {
  const lines = [`GRANT SELECT, CREATE ON *.* ${to}`, 'REVOKE SELECT ON `shop`.* FROM `rowferry`@`%`'];
  expect(new MysqlGrants(lines).lacking(['SELECT', 'CREATE'], 'shop')).toEqual(['SELECT']);
  expect(new MysqlGrants(lines).lacking(['SELECT'], 'crm')).toEqual([]);
});
