import type { DatabaseAddress, Session } from '../../coordinator/store/connection.ts'

/** The same server, another database. */
export function inDatabase(address: DatabaseAddress, database: string): DatabaseAddress {
  if (typeof address !== 'string') return { ...address, database }
  const url = new URL(address)
  url.pathname = `/${database}`
  return url.href
}

/** As the connecting user itself, for what a test prepares or spoils. */
export const adminSession: Session = { name: 'test', connectionsMax: 2, customer: '*', statementMsMax: 30_000, lockMsMax: 30_000 }

/** The same database as another user. (The embedded server trusts its socket and asks for no password.) */
export function asUser(address: DatabaseAddress, user: string, password: string): DatabaseAddress {
  if (typeof address !== 'string') return { ...address, user }
  const url = new URL(address)
  url.username = user
  url.password = password
  return url.href
}
