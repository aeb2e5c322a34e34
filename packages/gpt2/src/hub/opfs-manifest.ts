// What a page's cache knows of a commit, as JSON: digest and size of each file, and which files the repository does not have.

/** Digest and size of a file; null for one that the repository does not have. */
export type ManifestEntry = { readonly etag: string; readonly size: number } | null;

/** Entries by file name. What is damaged counts as not known: it is asked for again and noted anew, and contents that are here are kept. */
export function readManifest(text: string | undefined): Map<string, ManifestEntry> {
  const entries = new Map<string, ManifestEntry>();
  let root: unknown;
  try {
    root = JSON.parse(text ?? '{}');
  } catch {
    return entries;
  }
  for (const [name, entry] of Object.entries(Object(root) as Record<string, unknown>)) {
    const { etag, size } = Object(entry) as { etag?: unknown; size?: unknown };
    if (entry === null) entries.set(name, null);
    else if (typeof etag === 'string' && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag) && isSize(size))
      entries.set(name, { etag, size });
  }
  return entries;
}

const isSize = (size: unknown): size is number => Number.isSafeInteger(size) && (size as number) >= 0;

/** The text that `readManifest` reads. */
export function writeManifest(entries: ReadonlyMap<string, ManifestEntry>): string {
  return JSON.stringify(Object.fromEntries(entries));
}
