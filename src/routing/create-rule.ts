/** From a rule in words to a rule at work. Everything that can be wrong with the words is said here, before the first row. */
import { customRule } from './custom-rule.ts';
import { dateRule } from './date-rule.ts';
import { expressionRule } from './expression-rule.ts';
import { moduloRule, segmentsRule, slotMapRule, virtualNodesRule } from './numeric-rules.ts';
import type { RuleSpec, ShardRule } from './rule.ts';
import { checkNames, refused } from './spec-check.ts';
import { hashRule, ringRule, substringRule } from './text-rules.ts';

/** Throws ROWFERRY_CONFIG_INVALID with a hint for a rule that cannot work as it is written. */
export function createRule(spec: RuleSpec): ShardRule {
  if ('by' in spec) checkNames(spec.algorithm, 'by', typeof spec.by === 'object' ? spec.by : [spec.by]);
  switch (spec.algorithm) {
    case 'modulo':
      return moduloRule(spec);
    case 'segments':
      return segmentsRule(spec);
    case 'virtual-nodes':
      return virtualNodesRule(spec);
    case 'slot-map':
      return slotMapRule(spec);
    case 'date':
      return dateRule(spec);
    case 'substring':
      return substringRule(spec);
    case 'hash':
      return hashRule(spec);
    case 'ring':
      return ringRule(spec);
    case 'expression':
      return expressionRule(spec);
    case 'custom':
      return customRule(spec);
    default:
      throw unknownAlgorithm(spec);
  }
}

function unknownAlgorithm(spec: never): Error {
  const { algorithm } = spec as { readonly algorithm?: unknown };
  return refused(String(algorithm), 'there is no such algorithm', {
    hint: 'use modulo, segments, virtual-nodes, slot-map, date, substring, hash, ring, expression or custom',
  });
}
