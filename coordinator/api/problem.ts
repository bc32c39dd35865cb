/** Every error of the API as application/problem+json (RFC 9457) with a code from the closed list. */
import { STATUS_CODES } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, isMailscoutError, MailscoutError } from '../../common/errors.ts'
import { isConnectionFault } from '../store/faults.ts'

export type FieldFault = { field: string; message: string }

export type Problem = {
  type: string
  title: string
  status: number
  code: ErrorCode
  detail: string
  errors?: FieldFault[]
}

/** A request with one or more fields at fault; all of them are told at once. */
export class RequestFault extends MailscoutError {
  readonly errors: FieldFault[]

  constructor(errors: FieldFault[], code: ErrorCode = 'REQUEST_INVALID') {
    super(code, errors.map(({ field, message }) => `${field} ${message}`).join('; '), { field: errors[0]?.field ?? '' })
    this.errors = errors
  }
}

export const fieldFault = (field: string, message: string, code: ErrorCode = 'REQUEST_INVALID'): RequestFault =>
  new RequestFault([{ field, message }], code)

export const notFound = (what: string): MailscoutError =>
  new MailscoutError('NOT_FOUND', `There is no ${what} with this id that your key may see`)

/** A refusal that names when to come back. */
export class RateLimited extends MailscoutError {
  readonly retryAfterS: number

  constructor(message: string, retryAfterS: number) {
    super('RATE_LIMITED', message)
    this.retryAfterS = retryAfterS
  }
}

const statuses: Partial<Record<ErrorCode, number>> = {
  REQUEST_INVALID: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  IDEMPOTENCY_CONFLICT: 409,
  BODY_TOO_LARGE: 413,
  MEDIA_TYPE_UNSUPPORTED: 415,
  SERVICE_LEVEL_EXCEEDED: 422,
  RATE_LIMITED: 429,
  NOT_READY: 503,
  DATABASE_UNAVAILABLE: 503,
}

export function describeProblem(code: ErrorCode, detail: string, errors?: FieldFault[]): Problem {
  const status = statuses[code] ?? 500
  return {
    type: `urn:mailscout:problem:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code,
    detail,
    ...(errors === undefined ? {} : { errors }),
  }
}

/** What the framework itself refuses, by its status. */
function frameworkProblem(status: number, message: string): Problem | undefined {
  if (status === 413) return describeProblem('BODY_TOO_LARGE', 'A request body may have 256 KiB')
  if (status === 415) return describeProblem('MEDIA_TYPE_UNSUPPORTED', 'Send the body as application/json')
  if (status === 404) return describeProblem('NOT_FOUND', 'There is nothing at this address')
  if (status === 503) return describeProblem('NOT_READY', 'This coordinator is stopping; ask again, another will answer')
  if (status >= 400 && status < 500) return { ...describeProblem('REQUEST_INVALID', message), status, title: titleOf(status) }
  return undefined
}

const titleOf = (status: number) => STATUS_CODES[status] ?? 'Error'

/** SQLSTATE: statement timeout, lock timeout, and races that were lost as often as they were retried. */
const busyStates = new Set(['57014', '55P03', '40001', '40P01'])
const isBusy = (error: unknown): boolean => busyStates.has(String((error as { code?: unknown } | undefined)?.code))

export function problemOf(error: unknown, requestId: string): Problem {
  if (error instanceof RequestFault) return describeProblem(error.code, error.message, error.errors)
  if (isMailscoutError(error) && (statuses[error.code] ?? 500) < 500) {
    const errors = error.field === undefined ? undefined : [{ field: error.field, message: error.message }]
    return describeProblem(error.code, error.message, errors)
  }
  if (isMailscoutError(error, 'NOT_READY')) return describeProblem('NOT_READY', error.message)
  if (isMailscoutError(error, 'DATABASE_UNAVAILABLE') || isConnectionFault(error))
    return describeProblem('DATABASE_UNAVAILABLE', 'The database does not answer; ask again in a few seconds')
  if (isBusy(error)) return describeProblem('NOT_READY', 'The database is too busy to answer in time; ask again in a few seconds')
  const { statusCode, message } = (error ?? {}) as { statusCode?: unknown; message?: string }
  const known = typeof statusCode === 'number' ? frameworkProblem(statusCode, message ?? '') : undefined
  // Whatever it was may name files, addresses or SQL: only the log is told.
  return known ?? describeProblem('INTERNAL', `Something went wrong here. The log tells more under request ${requestId}`)
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply.code(problem.status).type('application/problem+json').serializer(JSON.stringify).send(problem)
}

export function handleError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error, request.id)
  if (problem.status >= 500) request.log.error({ err: error, code: problem.code }, 'a request failed')
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  if (problem.status === 503) reply.header('retry-after', '2')
  if (error instanceof RateLimited) reply.header('retry-after', String(error.retryAfterS))
  return sendProblem(reply, problem)
}
