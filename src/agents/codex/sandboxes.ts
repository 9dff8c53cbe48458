/** What Codex calls the modes of its sandbox. */
export const SANDBOXES = {
  'read-only': 'read-only',
  workspace: 'workspace-write',
  full: 'danger-full-access',
} as const
