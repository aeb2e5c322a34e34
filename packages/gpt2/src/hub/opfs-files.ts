// Whole files of the browser's private file system: written so that readers see the old contents or the new ones, and read by range.

/** Replaces a file; readers see the old contents or the new ones. */
export async function writeWhole(
  folder: FileSystemDirectoryHandle,
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
  try {
    await writable.write(bytes);
    await writable.close();
  } catch (cause) {
    // The write's own failure is what to report.
    await writable.abort().catch(() => undefined);
    throw cause;
  }
}

/** Bytes of a file from `begin`, `length` of them if so many are there; undefined where there is no file. */
export async function bytesOf(
  folder: FileSystemDirectoryHandle,
  name: string,
  begin = 0,
  length?: number,
): Promise<Uint8Array | undefined> {
  const handle = await orUndefined(folder.getFileHandle(name));
  if (!handle) return undefined;
  const file = await handle.getFile();
  return new Uint8Array(await file.slice(begin, length === undefined ? file.size : begin + length).arrayBuffer());
}

/** What was found, or undefined for what is not there. */
export async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'NotFoundError') return undefined;
    throw cause;
  }
}
