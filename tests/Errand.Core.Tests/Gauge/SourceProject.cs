using System.Xml.Linq;
using Errand.TestKit;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Errand.Tests.Gauge;

/// <summary>One project under <c>src</c>, with every name in its source resolved.</summary>
internal sealed class SourceProject
{
    private static readonly MetadataReference[] References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(file => MetadataReference.CreateFromFile(file)),
    ];

    private readonly string _folder;
    private readonly CSharpCompilation _compilation;

    internal SourceProject(string name)
    {
        Name = name;
        _folder = Path.Combine(RepositoryRoot.Path, "src", name);
        var options = CSharpParseOptions.Default.WithLanguageVersion(LanguageVersion.Preview);
        Trees =
        [
            .. Directory.GetFiles(_folder, "*.cs", SearchOption.AllDirectories)
                .Where(file => !Path.GetRelativePath(_folder, file).Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"))
                .Order(StringComparer.Ordinal)
                .Select(file => CSharpSyntaxTree.ParseText(File.ReadAllText(file), options, file)),
        ];
        _compilation = CSharpCompilation.Create(
            name,
            [.. Trees, CSharpSyntaxTree.ParseText(GlobalUsings(), options)],
            References.Where(reference => Path.GetFileNameWithoutExtension(reference.Display) != name),
            new CSharpCompilationOptions(
                OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable,
                metadataImportOptions: MetadataImportOptions.Internal));
    }

    internal string Name { get; }

    internal IReadOnlyList<SyntaxTree> Trees { get; }

    /// <summary>The path of a file within the project.</summary>
    internal string PathOf(SyntaxTree tree) => Path.GetRelativePath(_folder, tree.FilePath).Replace(Path.DirectorySeparatorChar, '/');

    /// <summary>Which other files of the project each file names something of.</summary>
    internal Dictionary<string, HashSet<string>> FileReferences()
    {
        var references = Trees.ToDictionary(PathOf, _ => new HashSet<string>(StringComparer.Ordinal), StringComparer.Ordinal);
        foreach (var tree in Trees)
        {
            var model = _compilation.GetSemanticModel(tree);
            foreach (var name in tree.GetRoot().DescendantNodes().Where(node =>
                node is SimpleNameSyntax or ImplicitObjectCreationExpressionSyntax))
            {
                var symbol = model.GetSymbolInfo(name).Symbol;
                if (symbol is not (null or INamespaceSymbol) && FileOf(symbol) is { } file && file != PathOf(tree))
                {
                    references[PathOf(tree)].Add(file);
                }
            }
        }

        return references;
    }

    /// <summary>Fields, and properties that keep a value, which another type assigns; initializers are not counted.</summary>
    internal IEnumerable<string> WritesFromOutside()
    {
        foreach (var tree in Trees)
        {
            var model = _compilation.GetSemanticModel(tree);
            foreach (var target in tree.GetRoot().DescendantNodes().SelectMany(Targets))
            {
                var symbol = model.GetSymbolInfo(target).Symbol;
                var isKept = symbol is IFieldSymbol
                    or IPropertySymbol { SetMethod: { IsInitOnly: false, DeclaredAccessibility: not Accessibility.Private } };
                if (isKept && symbol!.Locations.Any(one => one.IsInSource) && Owner(model, target) is { } writer
                    && !Inherits(writer, symbol.ContainingType))
                {
                    yield return $"{PathOf(tree)}: {writer.Name} writes {symbol.ContainingType.Name}.{symbol.Name}";
                }
            }
        }
    }

    /// <summary>How many fields the largest type has, and how many files and lines it is in.</summary>
    internal (string Type, int Fields, int Files, int Lines) LargestType() => Trees
        .SelectMany(tree => tree.GetRoot().DescendantNodes().OfType<TypeDeclarationSyntax>()
            .Where(type => type.Parent is BaseNamespaceDeclarationSyntax)
            .Select(type => (type.Identifier.Text, Fields: Fields(type), Lines: type.GetText().Lines.Count)))
        .GroupBy(part => part.Text, StringComparer.Ordinal)
        .Select(type => (type.Key, type.Sum(part => part.Fields), type.Count(), type.Sum(part => part.Lines)))
        .MaxBy(type => type.Item4);

    private static int Fields(TypeDeclarationSyntax type) => type.Members.OfType<FieldDeclarationSyntax>()
        .Where(field => !field.Modifiers.Any(SyntaxKind.ConstKeyword) && !field.Modifiers.Any(SyntaxKind.StaticKeyword))
        .Sum(field => field.Declaration.Variables.Count);

    private static IEnumerable<ExpressionSyntax> Targets(SyntaxNode node) => node switch
    {
        AssignmentExpressionSyntax { Parent: InitializerExpressionSyntax } => [],
        AssignmentExpressionSyntax { Left: TupleExpressionSyntax tuple } => tuple.Arguments.Select(argument => argument.Expression),
        AssignmentExpressionSyntax assignment => [assignment.Left],
        PrefixUnaryExpressionSyntax unary when unary.IsKind(SyntaxKind.PreIncrementExpression)
            || unary.IsKind(SyntaxKind.PreDecrementExpression) => [unary.Operand],
        PostfixUnaryExpressionSyntax unary when unary.IsKind(SyntaxKind.PostIncrementExpression)
            || unary.IsKind(SyntaxKind.PostDecrementExpression) => [unary.Operand],
        ArgumentSyntax argument when !argument.RefKindKeyword.IsKind(SyntaxKind.None) => [argument.Expression],
        _ => [],
    };

    private static INamedTypeSymbol? Owner(SemanticModel model, SyntaxNode node) =>
        node.Ancestors().OfType<TypeDeclarationSyntax>().FirstOrDefault() is { } type ? model.GetDeclaredSymbol(type) : null;

    private static bool Inherits(INamedTypeSymbol type, INamedTypeSymbol from)
    {
        for (var one = type; one is not null; one = one.BaseType)
        {
            if (SymbolEqualityComparer.Default.Equals(one.OriginalDefinition, from.OriginalDefinition))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Where a symbol of this project is declared; of a type in several files, the one that has its name.</summary>
    private string? FileOf(ISymbol symbol)
    {
        var files = symbol.OriginalDefinition.DeclaringSyntaxReferences.Select(one => one.SyntaxTree)
            .Where(tree => tree.FilePath.Length > 0).Select(PathOf).ToArray();
        return files.FirstOrDefault(file => Path.GetFileNameWithoutExtension(file) == symbol.Name) ?? files.FirstOrDefault();
    }

    private string GlobalUsings()
    {
        string[] implicitOnes =
            ["System", "System.Collections.Generic", "System.IO", "System.Linq", "System.Net.Http", "System.Threading", "System.Threading.Tasks"];
        var own = XDocument.Load(Path.Combine(_folder, Name + ".csproj")).Descendants("Using").Select(one => one.Attribute("Include")!.Value);
        return string.Concat(implicitOnes.Concat(own).Select(one => $"global using {one};\n"));
    }
}
