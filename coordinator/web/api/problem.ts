/** What the API says went wrong (RFC 9457), as one sentence for a person. */

export type Problem = {
  status: number
  code: string | null
  title: string | null
  detail: string | null
  errors: { field: string; message: string }[]
}

/** A call that the API refused (`status` as given) or that never reached it (`status` 0). `message` is the sentence to show. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly code: string | null

  constructor(problem: Problem) {
    super(problemSentence(problem))
    this.status = problem.status
    this.code = problem.code
  }
}

const text = (value: unknown): string | null => (typeof value === 'string' && value.trim() !== '' ? value.trim() : null)

/** Reads a problem document of any shape: a proxy in between may answer with something else. */
export function readProblem(status: number, body: unknown): Problem {
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}
  const errors = Array.isArray(fields.errors) ? fields.errors : []
  return {
    status,
    code: text(fields.code),
    title: text(fields.title),
    detail: text(fields.detail),
    errors: errors.flatMap((entry: { field?: unknown; message?: unknown } | null) => {
      const message = text(entry?.message)
      return message === null ? [] : [{ field: text(entry?.field) ?? '', message }]
    }),
  }
}

const byStatus: Record<number, string> = {
  0: 'The coordinator cannot be reached. Check the network; this page keeps trying.',
  401: 'The coordinator does not accept this API key. Sign in again with a valid one.',
  403: 'This API key is not allowed to do that. Use a key with a wider scope.',
  404: 'There is nothing here under this address. It may have been deleted.',
  409: 'Somebody else changed this at the same time. Look at the present state and try again.',
  429: 'Too many requests. Wait a moment and try again.',
  503: 'The coordinator is starting or its database is away. This page keeps trying.',
}

export function problemSentence(problem: Problem): string {
  // The coordinator's detail names the fields already; another server's may not.
  const fields = problem.errors
    .filter(({ message }) => problem.detail?.includes(message) !== true)
    .map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
  const said =
    problem.detail ?? byStatus[problem.status] ?? problem.title ?? `The coordinator answered with status ${problem.status}.`
  return [asSentence(said), ...fields.map(asSentence)].join(' ')
}

/** The name of a host is written as it is also where a sentence begins with it. */
const hostFirst = /^\S+\.[a-z0-9-]+\s/

export const asSentence = (words: string): string => {
  const begun = hostFirst.test(words) ? words : words.charAt(0).toUpperCase() + words.slice(1)
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`
}

/** The sentence for anything that was thrown. */
export const errorSentence = (error: unknown): string =>
  error instanceof ApiError ? error.message : problemSentence(readProblem(0, null))
