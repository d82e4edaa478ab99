import { describe } from 'vitest';
import { describeContract } from './describe-contract.ts';
import { faultContract } from './fault-contract.ts';
import { foreignRowsContract } from './foreign-rows-contract.ts';
import { grantContract } from './grant-contract.ts';
import { handOverContract } from './hand-over-contract.ts';
import { keylessContract } from './keyless-contract.ts';
import { originContract } from './origin-contract.ts';
import { originParkingContract } from './origin-parking-contract.ts';
import { parkingContract } from './parking-contract.ts';
import { stateContract } from './state-contract.ts';
import { tableChangeContract } from './table-change-contract.ts';
import { targetContract } from './target-contract.ts';

describe('MySQL target', () => {
  targetContract('mysql');
  parkingContract('mysql');
  faultContract('mysql');
  stateContract('mysql');
  describeContract('mysql');
  foreignRowsContract('mysql');
  keylessContract('mysql');
  originContract('mysql');
  originParkingContract('mysql');
  grantContract('mysql');
  handOverContract('mysql');
  tableChangeContract('mysql');
});
