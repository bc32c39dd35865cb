/**
 * Who is told, when, and through which gateway: a file for each rule, played through the flows of production on the store in memory. How
 * they are written is told in test/support/transcript.ts, what may happen in test/support/paging-transcript.ts.
 *
 * `REWRITE=1 npx vitest run test/scenarios/paging-transcripts.test.ts` writes what is told into the files; whoever does so reads the difference.
 */

import { playPagingTranscript } from '../support/paging-transcript.ts'
import { transcriptsIn } from '../support/transcript-files.ts'

transcriptsIn('testdata/paging', playPagingTranscript)
