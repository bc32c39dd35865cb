/**
 * The rules of DESIGN 3.3, a file for each: why, what happens, and the decisions, questions and pages that follow. How they are written is
 * told in test/support/transcript.ts, what may happen in test/support/judgement-transcript.ts.
 *
 * At the defaults a test starts every 20 min from each vantage: eu 0:00, 20:00, …; us 6:40, 26:40, …; ap 13:20, 33:20, … Timeout 10 min,
 * re-test after 30 s, two witnesses. `REWRITE=1 npx vitest run test/scenarios/judgement-transcripts.test.ts` writes what is told into the
 * files; whoever does so reads the difference.
 */
import { playTranscript } from '../support/judgement-transcript.ts'
import { transcriptsIn } from '../support/transcript-files.ts'

transcriptsIn('testdata', (transcript) => playTranscript(transcript).told)
