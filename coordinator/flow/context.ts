/** What every step of the way is given. */
import type { Logger } from '../../common/log.ts'
import type { Runtime } from '../../common/runtime.ts'
import type { Database } from '../store/database.ts'
import type { Store } from './store.ts'

export type FlowContext = {
  store: Store
  runtime: Runtime
  logger: Logger
  /** This coordinator among those that share the database. */
  coordinatorId: string
  /** Who is paged about our own trouble; null: it is only logged. */
  operatorPhone: string | null
}

/** Ingest and assign work in bulk, on statements that are the better part of them: they are given the database itself. */
export type DatabaseContext = FlowContext & { database: Database }
