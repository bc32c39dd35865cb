/**
 * Transactions on connections that may go away under them.
 *
 * postgres.js (3.4.9: index.js `begin`, connection.js `nextWrite`) writes to a connection that is gone as to any other, from a timer of its
 * own: an error that nobody can catch, and the end of the process. It does so with what the work still asks, with the `commit`, and
 * with the `rollback` of work that failed. So nothing is asked of it any more once the connection is known to be gone: the
 * work is left where it stands, and `begin` fails by itself. (Where only the work lost a connection, to something else, the server ends
 * this transaction and its connection after `idle_in_transaction_session_timeout`.)
 */
import type postgres from 'postgres'
import { isConnectionFault } from './faults.ts'

export type Begin = <T>(work: (sql: postgres.TransactionSql) => Promise<T>) => Promise<T>

/** Commits what the work did and returns what it returned; rolls back and throws what it threw, or the fault of the connection. */
export const careful =
  (begin: postgres.Sql['begin']): Begin =>
  async (work) => {
    let isGone = false
    // In an object, because postgres.js takes an array of the work for statements to wait for.
    const transaction = begin(async (sql) => {
      try {
        const value = await work(untilGone(sql, () => isGone))
        return isGone ? await never() : { value }
      } catch (error) {
        if (isGone || isConnectionFault(error)) return await never()
        throw error
      }
    })
    transaction.catch((error: unknown) => {
      isGone = isConnectionFault(error)
    })
    const { value } = await transaction
    return value
  }

/** One for each: who waits for a promise that all share is kept with it for ever. */
const never = () => new Promise<never>(() => {})

/** Statements of the work, none after the end of the connection. */
const untilGone = (sql: postgres.TransactionSql, isGone: () => boolean): postgres.TransactionSql =>
  new Proxy(sql, {
    apply(target, self, parts) {
      if (isGone()) throw new Error('the connection of this transaction is gone')
      return Reflect.apply(target, self, parts)
    },
  })
