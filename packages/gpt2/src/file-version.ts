// Whether two answers of a server are about the same contents of a file.

/** How a server tells two contents of one file apart. */
export interface FileVersion {
  readonly modified: string | null;
  readonly etag: string | null;
}

/** What an answer says of it. Servers mark the tag of what they compress. */
export const versionOf = ({ headers }: Response): FileVersion => ({
  modified: headers.get('last-modified'),
  etag:
    headers
      .get('etag')
      ?.replace(/^W\//, '')
      .replace(/-(gzip|br|zstd|deflate)"$/, '"') ?? null,
});

/** By time where both have one: machines behind one name may give one file different tags. What is not said is no difference. */
export function isSameVersion(a: FileVersion, b: FileVersion): boolean {
  if (a.modified !== null && b.modified !== null) return a.modified === b.modified;
  return a.etag === null || b.etag === null || a.etag === b.etag;
}
