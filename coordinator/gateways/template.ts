/**
 * The operator's templates: `{to}`, `{text}` and `{reference}` in URL, headers and body, each escaped for the place where it
 * stands, so that no text of a customer can add a parameter, a header or a field.
 */
import type { Sms } from './gateway.ts'

const placeholder = /\{([a-z_]+)\}/g
const known: readonly string[] = ['to', 'text', 'reference'] satisfies (keyof Sms)[]

export type Escape = (value: string) => string

/** The names in braces that are none of ours, e.g. `{phone}`. */
export const unknownPlaceholders = (template: string): string[] =>
  [...template.matchAll(placeholder)].map((match) => match[1] ?? '').filter((name) => !known.includes(name))

export const mentions = (template: string, name: keyof Sms): boolean => template.includes(`{${name}}`)

export const fill = (template: string, sms: Sms, escapeValue: Escape): string =>
  template.replace(placeholder, (whole, name: string) => (known.includes(name) ? escapeValue(sms[name as keyof Sms]) : whole))

export const escapeForUrl: Escape = encodeURIComponent

export const verbatim: Escape = (value) => value

/** A header holds neither line ends nor, safely, anything beyond ASCII. */
export const escapeForHeader: Escape = (value) => value.replace(/[^\x20-\x7e]/g, '?')

const escapeForJson: Escape = (value) => JSON.stringify(value).slice(1, -1)

const xmlEntities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' }
const escapeForXml: Escape = (value) => value.replace(/[&<>"']/g, (character) => xmlEntities[character] ?? '')

/** How a text body is escaped; undefined for a type whose rules we do not know. */
export function escapeForContentType(contentType: string): Escape | undefined {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (type === 'application/x-www-form-urlencoded') return escapeForUrl
  if (type === 'application/json' || type.endsWith('+json')) return escapeForJson
  if (type === 'application/xml' || type === 'text/xml' || type.endsWith('+xml')) return escapeForXml
  if (type === 'text/plain') return verbatim
  return undefined
}

/** Fills the strings inside a JSON value; nothing needs escaping there, because the value is serialised afterwards. */
export function fillJson(value: unknown, sms: Sms): unknown {
  if (typeof value === 'string') return fill(value, sms, verbatim)
  if (Array.isArray(value)) return value.map((item) => fillJson(item, sms))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillJson(item, sms)]))
}

/**
 * For a terminal or a log: no control character and none that turns the direction of writing. A monitor's name comes from a
 * customer and a gateway's answer from afar; neither must send escape sequences to the operator's terminal.
 */
export const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ')
