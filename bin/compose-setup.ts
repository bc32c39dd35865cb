/**
 * The one-off `setup` service of docker-compose.yml: `compose-setup.ts COORDINATOR_URL FOLDER` makes the demo's probes and monitor known
 * and writes the enrolment tokens and the responder's configuration into the folder that the other containers read. Repeated, it keeps
 * what is there.
 */
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createApi } from './api.ts'
import { demoRegions, responderConfig, setUpMonitor, setUpProbe } from './demo.ts'

const [url, folder] = process.argv.slice(2)
const key = process.env.MAILSCOUT_OPERATOR_KEY
if (url === undefined || folder === undefined || key === undefined) {
  throw new Error('usage: MAILSCOUT_OPERATOR_KEY=… compose-setup.ts COORDINATOR_URL FOLDER')
}
const api = createApi(url, key)
for (const region of demoRegions) {
  const token = await setUpProbe(api, region)
  const path = join(folder, region)
  if (token !== null || !existsSync(path)) writeFileSync(path, token ?? '')
}
await setUpMonitor(api, { host: 'reference', port: 2525 })
const routes = Object.fromEntries(demoRegions.map((region) => [`${region}.probe.example`, `probe-${region}:2525`]))
const config = { ...(await responderConfig(api, routes)), state_dir: '/data' }
writeFileSync(join(folder, 'responder.json'), JSON.stringify(config, null, 2))
chmodSync(folder, 0o755)
console.log('setup: probes, monitor and mail system are known')
