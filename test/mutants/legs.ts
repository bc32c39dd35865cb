/** Mutations of the core: what the runs say of the remote clock. */
import type { Mutant } from './mutant.ts'

const file = 'coordinator/core/legs.ts'
const simulated = {
  file: 'test/sim/remote-clock.test.ts',
  test: 'the remote clock > is truly within its bound after every return, and every step that contradicts is noticed',
}

export const legsMutants: Mutant[] = [
  {
    name: 'step-forward-unnoticed',
    file,
    find: 'a.low > b.high || a.high < b.low',
    replace: 'a.low > b.high',
    why: 'A run that contradicts the newer ones, to either side, was stamped before somebody set the clock.',
    caughtBy: simulated,
  },
  {
    name: 'own-drift-ignored',
    file,
    find: ' + setMs + driftMs(test.rtt_ms)',
    replace: ' + setMs',
    why: "The probe's own clock drifts while a mail is held.",
    caughtBy: {
      file: 'test/unit/core-legs.test.ts',
      test: 'a test as evidence > is as wrong as the own clock drifts while a mail is held for two hours',
    },
  },
  {
    name: 'runs-between-kept-after-step',
    file,
    find: 'newestFirst.slice(0, Math.max(0, oldest) + 1)',
    replace: 'newestFirst.slice(0, Math.max(index, oldest))',
    why: 'What returned between two runs that contradict each other may have been stamped before the step.',
    caughtBy: simulated,
  },
]
