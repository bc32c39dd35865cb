/** Every mutation that `npm run mutants` makes. Where no test catches a new one, the test is what is missing. */
import { boundMutants, incidentMutants, quorumMutants, suspicionMutants, verdictMutants } from './judgement.ts'
import type { Mutant } from './mutant.ts'
import { commitMutants, pagingMutants } from './paging.ts'
import { probeMutants } from './probe.ts'

export const mutants: Mutant[] = [
  ...quorumMutants,
  ...verdictMutants,
  ...suspicionMutants,
  ...incidentMutants,
  ...boundMutants,
  ...commitMutants,
  ...pagingMutants,
  ...probeMutants,
]
