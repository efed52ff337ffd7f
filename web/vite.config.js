import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const page = (path) => fileURLToPath(new URL(path, import.meta.url));

// Everything the page needs is in dist/: the server embeds that folder and the browser loads nothing else.
export default defineConfig({
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    rolldownOptions: { input: ['index.html', 'tiles/index.html', 'whip.html', 'whep.html'].map(page) },
  },
});
