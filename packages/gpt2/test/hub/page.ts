// The script of the test page: opens a model of the hub it came from, twice, and leaves what it found in the document.
import { openModel } from '../../src/open-model.js';

const notices: string[] = [];
const found: Record<string, unknown> = { notices };
try {
  const options = { endpoint: location.origin, onNotice: (text: string) => void notices.push(text) };
  for (const key of ['first', 'second']) {
    const source = await openModel('tiny/gpt2', options);
    const bytes = await source.read('model.safetensors');
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    found[key] = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
    found['names'] = [...(await source.list())].sort();
  }
  found['stored'] = await stored(await navigator.storage.getDirectory());
} catch (error) {
  found['error'] = (error as { code?: string }).code ?? String(error);
}
document.title = JSON.stringify(found);

/** Names of all files in the page's storage. */
async function stored(folder: FileSystemDirectoryHandle): Promise<string[]> {
  const names: string[] = [];
  const entries = (folder as unknown as { values(): AsyncIterable<FileSystemHandle> }).values();
  for await (const entry of entries) {
    if (entry.kind === 'file') names.push(entry.name);
    else names.push(...(await stored(entry as FileSystemDirectoryHandle)));
  }
  return names.sort();
}
