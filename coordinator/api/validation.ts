/**
 * Checks requests against the schemas of their routes. Bodies are taken as they are: nothing is converted, filled in or dropped.
 * Path and query are text, so there numbers and booleans are read from it.
 */
import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Value } from 'typebox/value'
import { type FieldFault, RequestFault } from './problem.ts'

/** More than a person reads at once. */
const faultsMax = 20

type SchemaError = { keyword: string; schemaPath: string; instancePath: string; params: object; message: string }

export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema)
  return (value: unknown) => {
    // A POST without a body is one with nothing in it: what is missing is then named field by field.
    const candidate = httpPart === 'body' ? (value ?? {}) : Value.Convert(schema, value)
    if (validator.Check(candidate)) return { value: candidate }
    return { error: new RequestFault(describeFaults(schema, validator.Errors(candidate) as SchemaError[])) }
  }
}

function describeFaults(schema: TSchema, errors: SchemaError[]): FieldFault[] {
  const faults = new Map<string, FieldFault>()
  for (const error of errors) {
    for (const fault of faultsOf(schema, error)) {
      if (faults.size < faultsMax && !faults.has(fault.field)) faults.set(fault.field, fault)
    }
  }
  return [...faults.values()]
}

function faultsOf(schema: TSchema, error: SchemaError): FieldFault[] {
  const path = fieldPath(error.instancePath)
  const inside = (name: string) => (path === '' ? name : `${path}.${name}`)
  const params = error.params as { requiredProperties?: string[]; additionalProperties?: string[]; allowedValues?: unknown[] }
  switch (error.keyword) {
    case 'required':
      return (params.requiredProperties ?? []).map((name) => ({ field: inside(name), message: 'is missing' }))
    case 'additionalProperties':
      return (params.additionalProperties ?? []).map((name) => ({ field: inside(name), message: 'is not known here' }))
    case 'boolean':
      // The same as additionalProperties, told once more from the inside.
      return []
    case 'enum':
      return [{ field: path, message: `must be one of ${(params.allowedValues ?? []).join(', ')}` }]
    case 'pattern':
    case 'format':
      return [{ field: path, message: descriptionAt(schema, error.schemaPath) ?? error.message }]
    default:
      return [{ field: path === '' ? 'body' : path, message: error.message }]
  }
}

const fieldPath = (pointer: string): string =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.')

/** A pattern is no sentence: schemas with one say in `description` what is expected, as in "must be …". */
function descriptionAt(schema: TSchema, schemaPath: string): string | undefined {
  let node: unknown = schema
  for (const part of schemaPath.split('/').slice(1)) {
    node = typeof node === 'object' && node !== null ? (node as Record<string, unknown>)[part] : undefined
  }
  const description = (node as { description?: unknown } | undefined)?.description
  return typeof description === 'string' ? `must be ${description}` : undefined
}
