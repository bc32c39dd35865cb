/** Everything that is signed on the probe link: one entry a document, with the `typ` that keeps one from passing as another. */
import { type Static, Type } from 'typebox'
import { assignmentsPerPageMax, resultsPerBatchMax } from '../limits.ts'
import { MailAddress, Nonce, PublicKeyX, strict, Thumbprint, TimeMs } from './schema.ts'
import { Assignment, BootId, ControlTrip, Health, Job, LateReturn, Overdue, Reference, RouteTest, TestResult } from './test.ts'

/** One page of a probe's assignments. Unchanged content gives the same bytes, so that its hash is its name. */
export const Page = strict({ assignments: Type.Array(Assignment, { maxItems: assignmentsPerPageMax }) })
export type Page = Static<typeof Page>

/** The whole of a probe's standing orders: the pages by hash, and until when they hold. */
export const Manifest = strict({
  version: Type.Integer({ minimum: 1 }),
  valid_until: TimeMs,
  page_hashes: Type.Array(Thumbprint, { maxItems: 10_000 }),
  references: Type.Array(Reference, { maxItems: 20 }),
})
export type Manifest = Static<typeof Manifest>

/** The root key's word that a key speaks for a coordinator of this installation. */
export const CoordinatorCertificate = strict({ x: PublicKeyX })

/** Proof, by the coordinator's key, that it saw the probe's nonce. */
export const CoordinatorProof = strict({ nonce: Nonce })

/** Proof, by the probe's key, that it saw the coordinator's nonce. */
export const ProbeProof = strict({ nonce: Nonce })

/** The first words of a new probe, signed by the key that it made: proof that it holds it. */
export const Enrolment = strict({ token: Type.String({ maxLength: 200 }), x: PublicKeyX, return_address: MailAddress })
export type Enrolment = Static<typeof Enrolment>

export const ResultBatch = strict({
  boot_id: BootId,
  health: Health,
  results: Type.Array(TestResult, { maxItems: resultsPerBatchMax }),
  overdues: Type.Array(Overdue, { maxItems: resultsPerBatchMax }),
  lates: Type.Array(LateReturn, { maxItems: resultsPerBatchMax }),
  controls: Type.Array(ControlTrip, { maxItems: resultsPerBatchMax }),
  /** Left out where there are none: a coordinator that orders no surveys knows no such member. */
  routes: Type.Optional(Type.Array(RouteTest, { maxItems: resultsPerBatchMax })),
})
export type ResultBatch = Static<typeof ResultBatch>

export const documents = {
  coordinator_certificate: { typ: 'mailscout-coordinator+jwt', schema: CoordinatorCertificate },
  coordinator_proof: { typ: 'mailscout-coordinator-proof+jwt', schema: CoordinatorProof },
  probe_proof: { typ: 'mailscout-probe-proof+jwt', schema: ProbeProof },
  enrolment: { typ: 'mailscout-enrolment+jwt', schema: Enrolment },
  manifest: { typ: 'mailscout-manifest+jwt', schema: Manifest },
  page: { typ: 'mailscout-page+jwt', schema: Page },
  job: { typ: 'mailscout-job+jwt', schema: Job },
  result_batch: { typ: 'mailscout-results+jwt', schema: ResultBatch },
} as const

export type DocumentKind = keyof typeof documents
export type DocumentBody<K extends DocumentKind> = Static<(typeof documents)[K]['schema']>
