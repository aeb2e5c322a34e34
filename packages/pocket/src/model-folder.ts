// Where the committed folders lie: a file: URL under Node, the address beside the module in a browser.

/** The folder that holds config.json, model.safetensors and the tokenizer files; ends in '/'. */
export function modelFolder(): URL {
  return new URL('../model/', import.meta.url);
}

/** The folder of the transcoders of its MLPs: a set in limn's format with its card; ends in '/'. */
export function transcodersFolder(): URL {
  return new URL('../transcoders/', import.meta.url);
}

/** The same of pocket-chat. */
export function chatModelFolder(): URL {
  return new URL('../chat-model/', import.meta.url);
}

/** Weight diffs of pocket-chat as a pack of `limn diff train`, some of them trained on ordinary answers; none of them was shown to the adapter. */
export function ditDiffsFolder(): URL {
  return new URL('../dit/diffs/', import.meta.url);
}

/** The DIT adapter of pocket-chat, a folder of `limn dit train`, with its card. */
export function ditAdapterFolder(): URL {
  return new URL('../dit/adapter/', import.meta.url);
}
