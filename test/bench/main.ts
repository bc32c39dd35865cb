/** `npm run bench [-- --json] [row …]`: every figure as a ratio to a floor or a peer measured in the same run. */
import { benchIngest } from './ingest.ts'
import { benchProbeCpu } from './probe-cpu.ts'
import { print, type Row } from './report.ts'

/** A row, or why it cannot be measured here. */
type Bench = () => Promise<Row | string>

const benches: Record<string, Bench> = {
  'probe-cpu-round-trip': benchProbeCpu,
  ingest: benchIngest,
}

const words = process.argv.slice(2)
const asJson = words.includes('--json')
const wanted = words.filter((word) => !word.startsWith('--'))
const unknown = wanted.filter((word) => benches[word] === undefined)
if (unknown.length > 0) {
  console.error(`No row is called ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`)
  process.exit(2)
}
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const row = await bench()
  if (typeof row === 'string') console.error(`${name}: skipped: ${row}`)
  else print([row], asJson)
}
process.exit(0)
