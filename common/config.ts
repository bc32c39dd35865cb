/**
 * Reads settings from the environment: every variable is declared once, parsed once, and all faults are reported together.
 * There is no default for a secret.
 */
import { MailscoutError } from './errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export class SettingsReader {
  readonly #environment: Environment
  readonly #faults: string[] = []

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** The raw text, or undefined where it is absent or blank. */
  text(name: string): string | undefined {
    const value = this.#environment[name]?.trim()
    return value === undefined || value === '' ? undefined : value
  }

  /** A setting that must be there; `meaning` completes the sentence "NAME is missing: …". */
  required(name: string, meaning: string): string {
    const value = this.text(name)
    if (value === undefined) this.fault(name, `is missing: ${meaning}`)
    return value ?? ''
  }

  integer(name: string, fallback: number, range: { min: number; max: number }): number {
    const value = this.text(name)
    if (value === undefined) return fallback
    const parsed = Number(value)
    if (Number.isInteger(parsed) && parsed >= range.min && parsed <= range.max) return parsed
    this.fault(name, `must be a whole number from ${range.min} to ${range.max}, not ${JSON.stringify(value)}`)
    return fallback
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], fallback: T): T {
    const value = this.text(name)
    if (value === undefined) return fallback
    if ((allowed as readonly string[]).includes(value)) return value as T
    this.fault(name, `must be one of ${allowed.join(', ')}, not ${JSON.stringify(value)}`)
    return fallback
  }

  /** Parses with `parse`, whose error message completes the sentence "NAME …". */
  parsed<T>(name: string, fallback: T, parse: (text: string) => T): T {
    const value = this.text(name)
    if (value === undefined) return fallback
    try {
      return parse(value)
    } catch (error) {
      this.fault(name, error instanceof Error ? error.message : String(error))
      return fallback
    }
  }

  fault(name: string, problem: string): void {
    this.#faults.push(`${name} ${problem}`)
  }

  /** Throws CONFIG_INVALID with every fault found, one a line. Call it last. */
  finish(): void {
    if (this.#faults.length > 0) {
      throw new MailscoutError(
        'CONFIG_INVALID',
        `The configuration has ${this.#faults.length} fault(s):\n  ${this.#faults.join('\n  ')}`,
      )
    }
  }
}

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** `host:port`, `[v6]:port` or a bare host; the port is optional only where `portDefault` is given. */
export function parseHostPort(text: string, portDefault?: number): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = match?.[3] === undefined ? portDefault : Number(match[3])
  if (host === undefined || port === undefined || port < 1 || port > 65_535) {
    throw new Error(`must be HOST:PORT, not ${JSON.stringify(text)}`)
  }
  return { host, port }
}
