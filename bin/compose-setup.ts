/**
 * The one-off `setup` service of docker-compose.yml: `compose-setup.ts COORDINATOR_URL FOLDER` makes the demo's probes and monitor known
 * and writes the enrolment tokens and the responder's configuration into the folder that the other containers read. Repeated, it keeps
 * what is there, and takes away the tokens that have been used.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createApi } from './api.ts'
import { demoRegions, responderConfig, setUpMonitor, setUpProbe } from './demo.ts'

const [url, folder] = process.argv.slice(2)
const key = process.env.MAILSCOUT_OPERATOR_KEY
if (url === undefined || folder === undefined || key === undefined) {
  throw new Error('usage: MAILSCOUT_OPERATOR_KEY=… compose-setup.ts COORDINATOR_URL FOLDER')
}
const api = createApi(url, key)
const write = (name: string, content: string): void => writeFileSync(join(folder, name), content, { mode: 0o600 })

for (const region of demoRegions) write(region, (await setUpProbe(api, region)).token ?? '')
await setUpMonitor(api, { host: 'customer', port: 2525 })
const routes = Object.fromEntries(demoRegions.map((region) => [`${region}.probe.example`, `probe-${region}:2525`]))
write('responder.json', JSON.stringify({ ...(await responderConfig(api, routes)), state_dir: '/data' }, null, 2))
console.log('setup: probes, monitor and mail systems are known')
