global using Errand.Testing;
