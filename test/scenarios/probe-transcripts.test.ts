/**
 * What a probe does by itself: a file for each rule, played through its pure parts. How they are written is told in
 * test/support/transcript.ts, what may happen in test/support/probe-transcript.ts.
 *
 * `REWRITE=1 npx vitest run test/scenarios/probe-transcripts.test.ts` writes what is told into the files; whoever does so reads the difference.
 */
import { playProbeTranscript } from '../support/probe-transcript.ts'
import { transcriptsIn } from '../support/transcript-files.ts'

transcriptsIn('testdata/probe', playProbeTranscript)
