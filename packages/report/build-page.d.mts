export function pageAssets(): Promise<{ script: string; style: string }>;
