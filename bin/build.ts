/** `npm run build`: what is delivered apart from the sources: the responder as one file, and the dashboard. */
import { buildResponder } from './build-responder.ts'
import { buildWeb } from './build-web.ts'

await Promise.all([buildResponder(), buildWeb()])
