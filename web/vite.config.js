import { defineConfig } from 'vite';

// Everything the page needs is in dist/: the server embeds that folder and the browser loads nothing else.
export default defineConfig({
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 700 },
});
