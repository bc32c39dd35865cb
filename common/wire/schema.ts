/** Building blocks of every schema on the wire, and the one way to validate with them. */
import { type Static, type TSchema, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { type ErrorCode, MailscoutError } from '../errors.ts'

export const Uuid = Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' })
/** Milliseconds since 1970, UTC; the upper bound is the year 2200. */
export const TimeMs = Type.Integer({ minimum: 0, maximum: 7_258_118_400_000 })
export const DurationMs = Type.Number({ minimum: 0, maximum: 30 * 86_400_000 })
export const Nonce = Type.String({ pattern: '^[A-Za-z0-9_-]{22,64}$' })
/** A raw Ed25519 public key, base64url. */
export const PublicKeyX = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' })
export const Thumbprint = PublicKeyX
export const CompactJws = Type.String({
  minLength: 20,
  maxLength: 1024 * 1024,
  pattern: '^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$',
})
export const MailAddress = Type.String({ minLength: 3, maxLength: 254, pattern: "^[!#-'*+\\-/-9=?A-Z^-~.]+@[A-Za-z0-9.-]+$" })
export const HostName = Type.String({ minLength: 1, maxLength: 253, pattern: '^[A-Za-z0-9.:_-]+$' })
export const Port = Type.Integer({ minimum: 1, maximum: 65_535 })
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
export const literals = <T extends string>(...values: T[]) => Type.Unsafe<T>(Type.Enum(values))

/** An object that refuses members it does not know. */
export const strict = <T extends Record<string, TSchema>>(properties: T) =>
  Type.Object(properties, { additionalProperties: false })

/**
 * Compiles a schema once into a check that returns the typed value or throws `code`, naming the first field at fault.
 */
export function checker<T extends TSchema>(schema: T, code: ErrorCode): (value: unknown) => Static<T> {
  const validator = Compile(schema)
  return (value) => {
    if (validator.Check(value)) return value as Static<T>
    const [first] = validator.Errors(value)
    const field = first === undefined ? '' : first.instancePath.replace(/^\//, '').replaceAll('/', '.')
    const problem = first?.message === 'schema is false' ? 'is not known here' : (first?.message ?? 'is not valid')
    throw new MailscoutError(code, `${field === '' ? 'The document' : field} ${problem}`, { field })
  }
}
