/** Every mutation that `npm run mutants` makes. Where no test catches a new one, the test is what is missing. */
import { fleetMutants, noticeMutants } from './fleet.ts'
import { flowMutants } from './flows.ts'
import { boundMutants, incidentMutants, suspicionMutants } from './judgement.ts'
import { legsMutants } from './legs.ts'
import type { Mutant } from './mutant.ts'
import { commitMutants, pagingMutants } from './paging.ts'
import { probeMutants } from './probe.ts'
import { routeMutants } from './routes.ts'
import { quorumMutants, verdictMutants } from './votes.ts'

export const mutants: Mutant[] = [
  ...quorumMutants,
  ...verdictMutants,
  ...suspicionMutants,
  ...incidentMutants,
  ...noticeMutants,
  ...fleetMutants,
  ...boundMutants,
  ...commitMutants,
  ...pagingMutants,
  ...flowMutants,
  ...probeMutants,
  ...routeMutants,
  ...legsMutants,
]
