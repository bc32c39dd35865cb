/** A coordinator's worth of process around the embedded database, to be killed by a test: `node embedded-child.ts DATA_DIR`. */
import { silentLogger } from '../../common/log.ts'
import { systemRuntime } from '../../common/runtime.ts'
import { startEmbeddedPostgres } from '../../coordinator/store/embedded.ts'

const dataDir = process.argv[2] ?? ''
const embedded = await startEmbeddedPostgres({ dataDir, logger: silentLogger, runtime: systemRuntime })
console.log(JSON.stringify({ pid: embedded.pid, connection: embedded.connection }))
