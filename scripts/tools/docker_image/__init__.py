"""Docker images: publishing, bill of materials, licences, audit."""
