import { describe } from 'vitest';
import { faultContract } from './fault-contract.ts';
import { foreignRowsContract } from './foreign-rows-contract.ts';
import { originContract } from './origin-contract.ts';
import { parkingContract } from './parking-contract.ts';
import { stateContract } from './state-contract.ts';
import { targetContract } from './target-contract.ts';

describe('MySQL target', () => {
  targetContract('mysql');
  parkingContract('mysql');
  faultContract('mysql');
  stateContract('mysql');
  foreignRowsContract('mysql');
  originContract('mysql');
});
