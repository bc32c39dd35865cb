/**
 * Every fault that crosses a border has a code from this closed list. Callers switch on the code; people read the message,
 * which says what to do. `temporary` means that the same call may succeed later.
 */
export const errorCodes = {
  // Signed documents and certificates
  SIGNATURE_INVALID: false,
  DOCUMENT_MALFORMED: false,
  DOCUMENT_TYPE_WRONG: false,
  AUDIENCE_WRONG: false,
  ISSUER_UNKNOWN: false,
  DOCUMENT_EXPIRED: false,
  DOCUMENT_NOT_YET_VALID: false,
  DOCUMENT_REPLAYED: false,
  DOCUMENT_OUTDATED: false,
  CERTIFICATE_INVALID: false,
  RETURN_DOMAIN_NOT_PINNED: false,
  RECIPIENT_WRONG: false,
  // The probe link
  FRAME_MALFORMED: false,
  FRAME_TOO_LARGE: false,
  FRAME_UNEXPECTED: false,
  VERSION_UNSUPPORTED: false,
  ENROLMENT_REFUSED: false,
  PROBE_UNKNOWN: false,
  SESSION_SUPERSEDED: true,
  LINK_LOST: true,
  // Results
  RESULT_FOREIGN: false,
  RESULT_MALFORMED: false,
  RESULT_TOO_OLD: false,
  // Requests
  REQUEST_INVALID: false,
  UNAUTHENTICATED: false,
  FORBIDDEN: false,
  NOT_FOUND: false,
  METHOD_NOT_ALLOWED: false,
  BODY_TOO_LARGE: false,
  MEDIA_TYPE_UNSUPPORTED: false,
  CONFLICT: false,
  IDEMPOTENCY_CONFLICT: false,
  SERVICE_LEVEL_EXCEEDED: false,
  RATE_LIMITED: true,
  NOT_READY: true,
  INTERNAL: true,
  // Mail
  MAIL_MALFORMED: false,
  HEADER_UNSAFE: false,
  ADDRESS_INVALID: false,
  TARGET_FORBIDDEN: false,
  SUBMISSION_FAILED: true,
  // Sending mail: the dialogue, and finding the server
  SMTP_CONNECTION_FAILED: true,
  SMTP_TLS_FAILED: true,
  SMTP_REFUSED_FOR_NOW: true,
  SMTP_REFUSED: false,
  SMTP_PROTOCOL: false,
  SMTP_DEADLINE: true,
  MAIL_HOST_NOT_FOUND: false,
  MAIL_NOT_ACCEPTED: false,
  DNS_UNAVAILABLE: true,
  // Running
  CONFIG_INVALID: false,
  KEY_UNREADABLE: false,
  IDENTITY_UNREADABLE: false,
  STORE_UNREADABLE: false,
  GATEWAY_REFUSED: false,
  GATEWAY_UNAVAILABLE: true,
  /** The request was sent and no answer came: a repeat may double the message, so a plain retry must not make it. */
  GATEWAY_OUTCOME_UNKNOWN: false,
  DATABASE_UNAVAILABLE: true,
  DATABASE_ROLES_MISSING: false,
  DATABASE_TOO_NEW: false,
  MIGRATION_CHANGED: false,
  MIGRATION_FAILED: false,
} as const satisfies Record<string, boolean>

export type ErrorCode = keyof typeof errorCodes

export class MailscoutError extends Error {
  override readonly name = 'MailscoutError'
  readonly code: ErrorCode
  readonly temporary: boolean
  /** The field at fault, as a path in the input (`target.address`), where there is one. */
  readonly field: string | undefined

  constructor(code: ErrorCode, message: string, options: { field?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.temporary = errorCodes[code]
    this.field = options.field
  }
}

export const isMailscoutError = (error: unknown, code?: ErrorCode): error is MailscoutError =>
  error instanceof MailscoutError && (code === undefined || error.code === code)

/** The message of anything that was thrown. */
export const errorMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error))
