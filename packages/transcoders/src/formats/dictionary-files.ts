// A folder of dictionaries as this package sees it, and how much of a config is read.
export {
  inFolder,
  splitName,
  type NamedTensor,
  type StoredFiles as DictionaryFiles,
  type StoredTensor,
  type StoredTensors,
  type WrittenFile as DictionaryFile,
} from '@limn/hooks';

/** Bytes of a config that anybody wrote. */
export const MOST_CONFIG_BYTES = 2 ** 20;
