/** Every bound on what comes from outside, with its reason. A bound of one part only stands in that part. */

/** A page holds at most 500 assignments of about 700 bytes, base64 in a JWS: 470 KiB. */
export const frameBytesMax = 1024 * 1024
/** DESIGN 3.2: pages small enough that one changed monitor re-sends little. */
export const assignmentsPerPageMax = 500
/** A batch of results of about 1 KiB each stays well below a frame. */
export const resultsPerBatchMax = 200
/** Results that a probe could not deliver for a week are of no use to a judgement. */
export const resultAgeMsMax = 7 * 24 * 3_600_000
/** A batch is sealed when it is sent: an older one is a replay. */
export const batchAgeMsMax = 10 * 60_000
/** A job must start soon, or its evidence answers another question. */
export const jobStartMsMax = 90_000
/** DESIGN 3.2: a probe goes on by itself for three days without a coordinator. */
export const manifestValidMs = 72 * 3_600_000
export const manifestRenewMs = 3_600_000
/** DESIGN 3.1. */
export const certificateValidMs = 14 * 24 * 3_600_000
export const certificateRenewMs = 7 * 24 * 3_600_000
/** Silence on the link for this long means that it is dead (three missed pings). */
export const heartbeatMs = 15_000
export const linkSilenceMsMax = 45_000
/** Late mail is still noted for a day. */
export const lateMailMsMax = 24 * 3_600_000
/** The ways to a target that a survey tries: five mail servers with both address families are more than anybody has. */
export const routesMax = 10
/** The text of a mail server's reply kept as evidence; RFC 5321 §4.5.3.1.5 allows 512 octets a line. */
export const serverWordsMax = 1000

/**
 * A probe starts control trips no more often than this: a responder answers it 600 times an hour (DESIGN 3.1), and in a long outage the
 * proof of health must not run dry.
 */
export const controlTurnMs = 7000
