/**
 * `rowferry/routing`: the routing library as applications import it. It decides by the very code by which the daemon writes
 * rows, so that the two can never disagree, and it is pure: no file, no network, no clock.
 *
 * Everything that is exported here is interface: it changes its meaning with a new major version only. Whatever is wrong with
 * a rule or a key is thrown as a `RowferryError` whose `code` is ROWFERRY_CONFIG_INVALID or ROWFERRY_ROUTE_KEY.
 */
export { RowferryError } from '../errors.ts';
export type { ErrorCode, ErrorWhere } from '../errors.ts';

/** Rules and layouts: from a key to its target and table. */
export { createRule } from './create-rule.ts';
export type { Period, RouteKey, RuleSpec, ShardRule, SlotHalf } from './rule.ts';
export { Layout } from './layout.ts';
export type { KeyedRow, LayoutSpec, Place, TableLevel } from './layout.ts';
export { reachedCells } from './correlation.ts';
export type { ReachedCells } from './correlation.ts';

/** Ranges of time over date rules. */
export { currentIndex, indexRange } from './date-rule.ts';

/** Business numbers, which carry the slots of their key. */
export { isBusinessNumber, locateNumber, routesNumbers, slotsOfNumber } from './business-number.ts';
export type { NumberSlots } from './business-number.ts';

/** Before a layout goes live: spread, moves, and how long it lasts. */
export { Forecast } from './forecast.ts';
export type { BrokenLimit, ForecastLimits, ForecastResult, Spread } from './forecast.ts';
export { columnsOfBoth, KeyPlan, planByKeys, planByPeriod, rowsOfShare } from './plan.ts';
export type { Fraction, MovePlan, PairMove, PlaceChange, Share } from './plan.ts';
export type { RefusedKind } from './refused-keys.ts';
export { capacityOf, dateAfterMonths } from './capacity.ts';
export type { Capacity, CapacityInput } from './capacity.ts';
