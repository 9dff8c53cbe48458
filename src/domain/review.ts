/** What a review is of, what it answers, and how its findings rank. */
import type { CommitId, TaskId } from './ids.ts'

export const reviewKinds = ['review', 'adversarial'] as const
export type ReviewKind = (typeof reviewKinds)[number]

/** Of a task that is a review. */
export interface ReviewRequest {
  /** `adversarial`: it is to show that the change must not be merged. */
  readonly kind: ReviewKind
  /** What to look at above all, in the caller's words; empty: nothing in particular. */
  readonly focus: string
  readonly target: ReviewTarget
}

export const reviewScopes = ['uncommitted', 'branch', 'commit', 'task'] as const

/**
 * The change that is reviewed. Its state after the change is the base of the task that reviews;
 * `from` is the commit before it.
 */
export type ReviewTarget =
  /** What the caller had not committed: from the commit of the base. */
  | { readonly kind: 'uncommitted' }
  /** What the commits of a branch add to another; `branch` null: HEAD was detached. */
  | {
      readonly kind: 'branch'
      readonly base: string
      readonly branch: string | null
      readonly from: CommitId
    }
  /** `from` null: it is a first commit. */
  | { readonly kind: 'commit'; readonly commit: CommitId; readonly from: CommitId | null }
  /** What another task has changed. */
  | {
      readonly kind: 'task'
      readonly task: TaskId
      readonly name: string
      readonly from: CommitId
    }

/** `uncommitted changes`, `branch feature against main`, `commit a1b2c3d`, `task fix-login (k3v9…)`. */
export function describeTarget(target: ReviewTarget): string {
  switch (target.kind) {
    case 'uncommitted':
      return 'uncommitted changes'
    case 'branch':
      return `${target.branch === null ? 'HEAD' : `branch ${target.branch}`} against ${target.base}`
    case 'commit':
      return `commit ${target.commit.slice(0, 7)}`
    case 'task':
      return `task ${target.name} (${target.task})`
  }
}

/** From worst to least. */
export const severities = ['critical', 'high', 'medium', 'low'] as const
export type Severity = (typeof severities)[number]

export const reviewVerdicts = ['approve', 'needs-attention'] as const
export type ReviewVerdict = (typeof reviewVerdicts)[number]

/** One thing that a review found wrong. Null: its agent did not say. */
export interface ReviewFinding {
  readonly severity: Severity | null
  readonly title: string
  readonly body: string
  /** As its agent named it. */
  readonly file: string | null
  readonly line_start: number | null
  readonly line_end: number | null
  /** From 0 to 1. */
  readonly confidence: number | null
  readonly recommendation: string
}

/** What a review answers, in the one shape that all agents are asked for. */
export interface ReviewAnswer {
  readonly verdict: ReviewVerdict
  readonly summary: string
  readonly findings: readonly ReviewFinding[]
  readonly next_steps: readonly string[]
}

/** The worst first; one without a severity comes before all: it may be any. Of equals, the surer. */
export function sortFindings<F extends Pick<ReviewFinding, 'severity' | 'confidence'>>(
  findings: readonly F[],
): F[] {
  return findings.toSorted(
    (a, b) => rankOf(a.severity) - rankOf(b.severity) || (b.confidence ?? 0) - (a.confidence ?? 0),
  )
}

const rankOf = (severity: Severity | null) =>
  severity === null ? -1 : severities.indexOf(severity)

/** Whether any is as bad as that, or worse. One without a severity may be. */
export function hasFindingOf(
  findings: readonly Pick<ReviewFinding, 'severity'>[],
  severity: Severity,
): boolean {
  return findings.some(finding => rankOf(finding.severity) <= rankOf(severity))
}
