/** What this probe calls itself on the link and in its health. */
import manifest from '../package.json' with { type: 'json' }

export const version: string = manifest.version
