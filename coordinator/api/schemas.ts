/** Building blocks of the API's schemas: one value is the type, the validation and the documentation. */
import { type Static, type TSchema, Type } from 'typebox'

export const uuidPattern = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
export const Id = Type.String({ pattern: uuidPattern, description: 'a UUID in small letters' })
export const CustomerId = Id
/** Control characters, half characters, line separators, and what turns the reading direction round: a name goes into an SMS. */
const unfitForNames = '\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}\\u202a-\\u202e\\u2066-\\u2069'
export const Name = Type.String({
  minLength: 1,
  maxLength: 120,
  pattern: `^[^${unfitForNames}]*[^\\s${unfitForNames}][^${unfitForNames}]*$`,
  description: 'a name of 1 to 120 characters on one line',
})
export const Time = Type.String({ format: 'date-time', description: 'a UTC time in ISO 8601, like 2026-11-23T15:33:48.123Z' })
export const Seconds = (minimum: number, maximum: number) => Type.Integer({ minimum, maximum })

export const oneOf = <const T extends readonly string[]>(...values: T) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values] })

/** For what we send: `type: [x, null]`, which is written faster than a union. */
export const orNull = <T extends TSchema & { type: string }>(schema: T) =>
  Type.Unsafe<Static<T> | null>({ ...schema, type: [schema.type, 'null'] })

export const Text = Type.String()
export const Num = Type.Number()

export const listOf = <T extends TSchema>(item: T) =>
  Type.Object({
    data: Type.Array(item),
    next_cursor: orNull(Type.String({ description: 'For the next page; null at the end' })),
  })

export const ById = Type.Object({ id: Id })

export const listQueryMax = 500
export const pagingQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: listQueryMax, default: 50 })),
  cursor: Type.Optional(Type.String({ maxLength: 200, description: 'next_cursor of the page before' })),
}

/** Query and body objects name the fields they do not know. */
export const query = <T extends Record<string, TSchema>>(properties: T) =>
  Type.Object(properties, { additionalProperties: false })

/** The body of a PATCH: any of the members. (Type.Partial alone forgets to refuse unknown ones.) */
export const partial = <T extends Record<string, TSchema>>(properties: T) =>
  query(Type.Partial(Type.Object(properties)).properties)

/** Operators may narrow a list down to one customer. */
export const OwnedListQuery = query({ ...pagingQuery, customer_id: Type.Optional(CustomerId) })
export const ListQuery = query(pagingQuery)

export const ProblemSchema = Type.Object({
  type: Text,
  title: Text,
  status: Type.Integer(),
  code: Type.String({ description: 'Stable; switch on this' }),
  detail: Text,
  errors: Type.Optional(Type.Array(Type.Object({ field: Text, message: Text }))),
})
