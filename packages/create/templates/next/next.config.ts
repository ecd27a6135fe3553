import type { NextConfig } from 'next';

// Headway loads files of its own while it runs, so it must not be bundled.
export default { serverExternalPackages: ['headway-jobs'] } satisfies NextConfig;
