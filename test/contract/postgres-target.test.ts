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

describe('PostgreSQL target', () => {
  targetContract('postgres');
  parkingContract('postgres');
  faultContract('postgres');
  stateContract('postgres');
  describeContract('postgres');
  foreignRowsContract('postgres');
  keylessContract('postgres');
  originContract('postgres');
  originParkingContract('postgres');
  grantContract('postgres');
  handOverContract('postgres');
  tableChangeContract('postgres');
});
