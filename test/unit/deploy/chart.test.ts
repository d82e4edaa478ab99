import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse as parseYaml, stringify } from 'yaml';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { configJsonSchema } from '../../../src/config/json-schema.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { VERSION } from '../../../src/version.ts';
import type { KubernetesObject } from '../../support/chart/chart.ts';
import { CHART, helm, rendered, validated, whyNoHelm } from '../../support/chart/chart.ts';

const read = (file: string): string => readFileSync(join(CHART, file), 'utf8');
const EXAMPLE = join(CHART, 'examples/shop.yaml');
const SCHEMA = join(CHART, 'values.schema.json');

describe('the chart', () => {
  it('has the version of the package', () => {
    expect(parseYaml(read('Chart.yaml'))).toMatchObject({ version: VERSION, appVersion: VERSION });
  });

  it('checks `config` as rowferry does (UPDATE_DOCS=1 writes the schema anew)', () => {
    const schema = JSON.parse(read('values.schema.json')) as { properties: { config: unknown } };
    const config = chartConfigSchema();
    if (process.env['UPDATE_DOCS'] === '1') {
      const text = JSON.stringify({ ...schema, properties: { ...schema.properties, config } }, null, 2);
      writeFileSync(SCHEMA, `${text}\n`);
    }
    expect((JSON.parse(read('values.schema.json')) as typeof schema).properties.config).toEqual(config);
  });
});

const missing = whyNoHelm();

describe.skipIf(missing !== undefined)(
  `the chart, rendered by Helm${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let objects: readonly KubernetesObject[] = [];
    const all = (kind: string): readonly KubernetesObject[] =>
      objects.filter((object) => object.kind === kind);
    const one = (kind: string): KubernetesObject => {
      const [first] = all(kind);
      if (first === undefined) throw new Error(`no ${kind}`);
      return first;
    };

    beforeAll(async () => {
      objects = await rendered(EXAMPLE);
    }, 300_000);

    it('passes lint', async () => {
      // What must be set has no default on purpose: lint sees the chart with the example's values.
      const folder = mkdtempSync(join(tmpdir(), 'rowferry-chart-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const copy = join(folder, 'rowferry');
      cpSync(CHART, copy, { recursive: true, dereference: true });
      const values = {
        ...(parseYaml(read('values.yaml')) as object),
        ...(parseYaml(read('examples/shop.yaml')) as object),
      };
      writeFileSync(join(copy, 'values.yaml'), stringify(values));
      const { code, stdout } = await helm(['lint', copy]);
      expect(stdout.split('\n').filter((line) => /WARNING|ERROR/.test(line))).toEqual([]);
      expect(code, stdout).toBe(0);
    });

    it("makes objects that Kubernetes' API takes", async () => {
      const known = objects.filter(({ apiVersion }) => apiVersion !== 'monitoring.coreos.com/v1');
      expect(known.map(({ kind }) => kind).toSorted()).toEqual([
        'ConfigMap',
        'ConfigMap',
        'Deployment',
        'NetworkPolicy',
        'PodDisruptionBudget',
        'PodDisruptionBudget',
        'Service',
        'ServiceAccount',
        'StatefulSet',
      ]);
      expect(await validated(known)).toEqual(known.map(({ kind }) => `${kind}: ok`));
    });

    it('gives rowferry a configuration that it takes, with the chart’s own settings on top', () => {
      const config = parseConfig('rowferry.yaml', one('ConfigMap').data?.['rowferry.yaml'] ?? '', {
        env: {
          SOURCE_PASSWORD: 'x',
          WEST_PASSWORD: 'x',
          ROWFERRY_HTTP_TOKEN: 'sixteen-or-more-characters',
        },
        readFile: () => '',
      });
      expect(config).toMatchObject({ name: 'shop', runDir: '/run/rowferry' });
    });

    it('runs each role by its pods, unprivileged, on a read-only root, longer alive than it drains', () => {
      for (const [kind, role] of [
        ['StatefulSet', 'capture'],
        ['Deployment', 'apply'],
      ] as const) {
        expect(one(kind).spec).toMatchObject({
          replicas: 2,
          selector: { matchLabels: { 'app.kubernetes.io/component': role } },
          template: {
            metadata: { labels: { 'app.kubernetes.io/component': role } },
            spec: {
              automountServiceAccountToken: false,
              securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
              containers: [
                {
                  image: `rowferry:${VERSION}`,
                  args: ['run', '--role', role],
                  securityContext: {
                    allowPrivilegeEscalation: false,
                    readOnlyRootFilesystem: true,
                    capabilities: { drop: ['ALL'] },
                  },
                  livenessProbe: { httpGet: { path: '/livez' } },
                  readinessProbe: { httpGet: { path: '/readyz' } },
                  envFrom: [{ secretRef: { name: 'shop-secrets' } }],
                },
              ],
            },
          },
        });
        const { template } = one(kind).spec as {
          template: { spec: { terminationGracePeriodSeconds: number } };
        };
        expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThan(15);
      }
    });

    it('lets services, budgets and policies find the pods', () => {
      const podLabels = (['StatefulSet', 'Deployment'] as const).map(
        (kind) =>
          (one(kind).spec as { template: { metadata: { labels: Record<string, string> } } }).template.metadata
            .labels,
      );
      const found = (labels: object): number =>
        podLabels.filter((pod) => Object.entries(labels).every(([name, value]) => pod[name] === value))
          .length;
      expect(found(one('Service').spec['selector'] as object)).toBe(2);
      expect(found((one('NetworkPolicy').spec['podSelector'] as { matchLabels: object }).matchLabels)).toBe(
        2,
      );
      for (const budget of all('PodDisruptionBudget'))
        expect(found((budget.spec['selector'] as { matchLabels: object }).matchLabels)).toBe(1);
    });

    it('has Prometheus scrape every pod with the token, under the name of the pipeline', () => {
      const { spec } = one('ServiceMonitor');
      const service = one('Service');
      expect(spec).toMatchObject({
        endpoints: [
          {
            port: 'http',
            path: '/metrics',
            authorization: { credentials: { name: 'shop-secrets', key: 'ROWFERRY_HTTP_TOKEN' } },
            relabelings: [{ targetLabel: 'pipeline', replacement: 'shop' }],
          },
        ],
      });
      const wanted = (spec['selector'] as { matchLabels: Record<string, string> }).matchLabels;
      expect(service.metadata.labels).toMatchObject(wanted);
      expect(service.spec).toMatchObject({ ports: [{ name: 'http' }] });
    });

    it('brings the rules and the dashboard that are beside it', () => {
      const rules = all('PrometheusRule');
      expect(rules.length).toBeGreaterThan(0);
      for (const { metadata, spec } of rules) {
        const file = metadata.name.replace('shop-rowferry-', '');
        expect(spec).toEqual(parseYaml(read(`../../prometheus/${file}.rules.yaml`)));
      }
      const dashboard = all('ConfigMap').find(({ data }) => data?.['rowferry.json'] !== undefined);
      expect(JSON.parse(dashboard?.data?.['rowferry.json'] ?? 'null')).toEqual(
        JSON.parse(read('../../grafana/rowferry.json')),
      );
    });

    it.each([
      ['config: { name: shop }', 'kafka'],
      ['confg: {}', 'confg'],
      ['capture: { replicas: none }', 'replicas'],
      ['http: { port: 99999 }', 'port'],
      ['topologySpread: Sometimes', 'topologySpread'],
    ])('refuses %s', async (text, named) => {
      const folder = mkdtempSync(join(tmpdir(), 'rowferry-chart-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const file = join(folder, 'values.yaml');
      writeFileSync(
        file,
        stringify({ ...(parseYaml(read('examples/shop.yaml')) as object), ...(parseYaml(text) as object) }),
      );
      const { code, stderr } = await helm(['template', CHART, file]);
      expect(code).toBe(1);
      expect(stderr).toContain(named);
    });
  },
);

/**
 * The configuration's schema without its name, without what the chart sets itself, and without patterns that look ahead, which
 * Helm's regular expressions cannot do: rowferry itself checks those.
 */
function chartConfigSchema(): object {
  const { $schema: _, $id: __, ...schema } = configJsonSchema() as Record<string, unknown>;
  const properties = { ...(schema['properties'] as Record<string, unknown>) };
  delete properties['runDir'];
  const text = JSON.stringify({ ...schema, properties });
  return JSON.parse(text, (key, value: unknown) =>
    key === 'pattern' && typeof value === 'string' && /\(\?[!=<]/.test(value) ? undefined : value,
  ) as object;
}
