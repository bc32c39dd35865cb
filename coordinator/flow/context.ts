/** What every step of the way is given. */
import type { Logger } from '../../common/log.ts'
import type { Runtime } from '../../common/runtime.ts'
import type { Database } from '../store/database.ts'

export type FlowContext = {
  database: Database
  runtime: Runtime
  logger: Logger
  /** This coordinator among those that share the database. */
  coordinatorId: string
  /** Who is paged about our own trouble; null: it is only logged. */
  operatorPhone: string | null
}
