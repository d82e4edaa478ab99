/** Sharding rules in words, for people. Pure. */
import type { Layout } from '../routing/layout.ts';
import type { RuleSpec } from '../routing/rule.ts';

/** One line: what the rule does with which column. */
function ruleText(spec: RuleSpec): string {
  switch (spec.algorithm) {
    case 'modulo':
      return `${spec.by} mod ${spec.count}`;
    case 'segments':
      return `${spec.count} segments of ${slotsText(spec)}`;
    case 'virtual-nodes':
      return `${spec.current} of ${spec.max} virtual nodes by ${spec.by}`;
    case 'slot-map':
      return `a map of ${slotsText(spec)} to ${Object.keys(spec.map).length} owners`;
    case 'date': {
      const count = spec.count === undefined ? '' : `, ${spec.count} of them`;
      return `${spec.period} of ${spec.by} from ${spec.since} on${count}`;
    }
    case 'substring':
      return `${spec.length} digit${spec.length === 1 ? '' : 's'} of ${spec.by} at position ${spec.at}`;
    case 'hash':
      return `xxHash64 of ${spec.by} mod ${spec.count}${seedText(spec.seed)}`;
    case 'ring':
      return `a ring of ${spec.nodes.length} nodes by the hash of ${spec.by}${seedText(spec.seed)}`;
    case 'expression':
      return `${spec.expression}, ${spec.count} shards`;
    case 'custom':
      return `function of ${spec.by.join(', ')}, ${spec.count} shards, version ${spec.version}`;
  }
}

/** Both levels of a layout: `targets` and `tables`, null where there is one. */
export function layoutTexts({ spec }: Layout): {
  readonly targets: string | null;
  readonly tables: string | null;
} {
  return {
    targets: spec.shards === null ? null : ruleText(spec.shards),
    tables: spec.tables === null ? null : ruleText(spec.tables.rule),
  };
}

/** `targets by a mod 4; tables by b mod 16`. */
export function layoutText(layout: Layout): string {
  const { targets, tables } = layoutTexts(layout);
  const levels = [
    ...(targets === null ? [] : [`targets: ${targets}`]),
    ...(tables === null ? [] : [`tables: ${tables}`]),
  ];
  return levels.length === 0 ? 'one table' : levels.join('; ');
}

function slotsText({
  by,
  slots = 64,
  half = 'low',
}: Extract<RuleSpec, { algorithm: 'segments' | 'slot-map' }>): string {
  return `${slots} slots of ${half === 'low' ? `${by} mod ${slots}` : `floor(${by} / ${slots}) mod ${slots}`}`;
}

function seedText(seed = 0): string {
  return seed === 0 ? '' : `, seed ${seed}`;
}
