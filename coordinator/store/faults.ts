/** What a failed statement means for its caller: the server is away, the transaction lost a race, or anything else. */
const connectionFaults = new Set([
  // postgres.js
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  // The system; ENOENT: no socket file yet
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  // The server: shut down, crashed, starting up, too many connections
  '57P01',
  '57P02',
  '57P03',
  '53300',
])

const errorCode = (error: unknown): string => {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : ''
}

/** The server could not be reached or went away: the same statement may succeed later, and it may have succeeded now. */
export const isConnectionFault = (error: unknown): boolean =>
  connectionFaults.has(errorCode(error)) || errorCode(error).startsWith('08')

/**
 * postgres.js asks each new connection for its array types, and where that fails nobody is told (its connection.js, fetchArrayTypes). The
 * statement that wanted the connection fails or waits by itself, and the next connection asks again: nothing is lost.
 */
export const isUnheardFault = (error: unknown): boolean =>
  isConnectionFault(error) && String((error as { query?: unknown }).query).includes('pg_catalog.pg_type')

/** SQLSTATE 40001 serialization_failure and 40P01 deadlock_detected: the transaction was rolled back and may be run again. */
export const isLostRace = (error: unknown): boolean => ['40001', '40P01'].includes(errorCode(error))

/** SQLSTATE 42501. */
export const isForbidden = (error: unknown): boolean => errorCode(error) === '42501'

/** SQLSTATE 23505; `constraint` narrows it to one index. */
export const isDuplicate = (error: unknown, constraint?: string): boolean =>
  errorCode(error) === '23505' &&
  (constraint === undefined || (error as { constraint_name?: string }).constraint_name === constraint)
