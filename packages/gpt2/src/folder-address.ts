// The address of a folder on a server, and those of the files in it. A query, which may be a signature, goes with every file and into no message.
import { LimnError } from '@limn/gpu';

/** A folder by its address. */
export interface FolderAddress {
  /** For messages: without query, fragment and credentials. */
  readonly label: string;
  /** The file's address for messages. */
  describe(name: string): string;
  /** The file's address for requests. */
  of(name: string): URL;
}

/** @throws LimnError `files/bad-address` for what is no http or https address, or holds a password, which requests may not carry */
export function folderAddress(given: string | URL): FolderAddress {
  const url = URL.canParse(String(given)) ? new URL(String(given)) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    const shown = url === undefined ? JSON.stringify(String(given).slice(0, 200)) : `${url.protocol}//${url.host}`;
    throw new LimnError('files/bad-address', `${shown} is no address of a folder to read from`, {
      details: { address: shown },
      hint: 'An address looks like https://host/folder/. A name and a password do not go into it; a signed query may.',
    });
  }
  const label = `${url.protocol}//${url.host}${url.pathname}`;
  const root = label.endsWith('/') ? label : `${label}/`;
  const describe = (name: string): string => `${root}${encodeURIComponent(name)}`;
  return { label, describe, of: (name) => new URL(`${describe(name)}${url.search}`) };
}
